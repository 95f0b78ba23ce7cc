-- name: beat
-- Renews a worker's standing. No row back means it is lost: register anew. Tells a worker that it was asked to drain.
UPDATE rrcm.worker
   SET beat_at = now(),
       samples_per_second = $3
 WHERE worker_id = $1
   AND epoch = $2
   AND state <> 'gone'
RETURNING state = 'draining' AS draining
