-- name: delete_worker
-- Removes a worker that is still gone; a foreign key refuses it where anything refers to it.
DELETE FROM rrcm.worker
 WHERE worker_id = $1
   AND state = 'gone'
   AND quarantined_at IS NULL
   AND beat_at < now() - make_interval(days => $2)
RETURNING worker_id
