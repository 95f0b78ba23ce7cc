-- name: count_old_events
-- Events older than $1 days, those of unfinished runs left out.
SELECT count(*) AS events
  FROM rrcm.event e
 WHERE e.at < now() - make_interval(days => $1)
   AND NOT EXISTS (SELECT FROM rrcm.run r WHERE r.run_id = e.run_id AND r.finished_at IS NULL)
