-- name: delete_old_events
-- Removes events older than $1 days, those of unfinished runs left out.
SELECT rrcm.delete_old_events($1) AS events
