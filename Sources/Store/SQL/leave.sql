-- name: leave
-- A worker's orderly goodbye.
UPDATE rrcm.worker
   SET state = 'gone',
       beat_at = now()
 WHERE worker_id = $1
   AND epoch = $2
