-- name: doctor_flapping
-- Workers that were taken for dead three times or more within the hour, and yet came back.
SELECT w.name,
       w.host,
       count(*) AS times
  FROM rrcm.event e
  JOIN rrcm.worker w USING (worker_id)
 WHERE e.kind = 'worker_lost'
   AND e.at > now() - interval '1 hour'
 GROUP BY w.name, w.host
HAVING count(*) >= 3
 ORDER BY count(*) DESC
