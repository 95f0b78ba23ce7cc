-- name: run_pace
-- Live workers that hold work of a run, and the sum of the speeds they measured.
SELECT count(*) AS workers,
       sum(w.samples_per_second) AS samples_per_second
  FROM rrcm.worker w
 WHERE w.state <> 'gone'
   AND (EXISTS (SELECT FROM rrcm.lease l JOIN rrcm.item i USING (item_id)
                 WHERE l.worker_id = w.worker_id AND i.run_id = $1)
        OR EXISTS (SELECT FROM rrcm.job j WHERE j.worker_id = w.worker_id AND j.state = 'running' AND j.run_id = $1))
