-- name: doctor_refused
-- The newest reason why a worker passed over each unfinished run, of the last quarter of an hour.
SELECT DISTINCT ON (r.run_id)
       r.name,
       e.detail
  FROM rrcm.event e
  JOIN rrcm.run r USING (run_id)
 WHERE e.kind = 'run_refused'
   AND e.at > now() - interval '15 minutes'
   AND r.finished_at IS NULL
 ORDER BY r.run_id, e.event_id DESC
