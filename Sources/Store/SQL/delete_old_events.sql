-- name: delete_old_events
-- Removes events older than $1 days, those of unfinished runs left out.
DELETE FROM rrcm.event e
 WHERE e.at < now() - make_interval(days => $1)
   AND NOT EXISTS (SELECT FROM rrcm.run r WHERE r.run_id = e.run_id AND r.finished_at IS NULL)
RETURNING event_id
