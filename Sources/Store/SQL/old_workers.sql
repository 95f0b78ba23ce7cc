-- name: old_workers
-- Workers gone for more than $1 days of which no vote is stored. Whatever else may refer to one keeps it: see
-- delete_worker.
SELECT w.worker_id
  FROM rrcm.worker w
 WHERE w.state = 'gone'
   AND w.quarantined_at IS NULL
   AND w.beat_at < now() - make_interval(days => $1)
   AND NOT EXISTS (SELECT FROM rrcm.chunk_count c WHERE c.worker_id = w.worker_id)
   AND NOT EXISTS (SELECT FROM rrcm.chunk_count_void c WHERE c.worker_id = w.worker_id)
   AND NOT EXISTS (SELECT FROM rrcm.disagreement d WHERE d.worker_id = w.worker_id)
   AND NOT EXISTS (SELECT FROM rrcm.failed_attempt a WHERE a.worker_id = w.worker_id)
   AND NOT EXISTS (
         SELECT FROM rrcm.canary c WHERE c.first_worker_id = w.worker_id OR c.second_worker_id = w.worker_id
       )
   AND NOT EXISTS (SELECT FROM rrcm.lease l WHERE l.worker_id = w.worker_id)
   AND NOT EXISTS (SELECT FROM rrcm.job j WHERE j.worker_id = w.worker_id)
 ORDER BY w.worker_id
