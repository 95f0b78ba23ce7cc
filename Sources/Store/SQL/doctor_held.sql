-- name: doctor_held
-- Runs with held items, unfinished or ended within the week, and the workers whose posts differed.
SELECT r.run_id,
       r.name,
       count(*) AS items,
       min(i.error) AS reason,
       ARRAY(SELECT DISTINCT w.name
               FROM rrcm.disagreement d
               JOIN rrcm.item di USING (item_id)
               JOIN rrcm.worker w ON w.worker_id = d.worker_id
              WHERE di.run_id = r.run_id
              ORDER BY w.name) AS workers
  FROM rrcm.run r
  JOIN rrcm.item i ON i.run_id = r.run_id AND i.state = 'held'
 WHERE r.finished_at IS NULL
    OR r.finished_at > now() - interval '7 days'
 GROUP BY r.run_id, r.name
 ORDER BY r.run_id
