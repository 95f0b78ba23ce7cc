-- name: lost_workers
-- Declares workers gone that have been silent for more than $1 seconds.
UPDATE rrcm.worker
   SET state = 'gone'
 WHERE state <> 'gone'
   AND beat_at < now() - make_interval(secs => $1)
RETURNING worker_id, name, epoch
