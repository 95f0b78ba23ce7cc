-- name: forget_canaries
-- Canaries that only this worker has shown are not taken for right any more.
DELETE FROM rrcm.canary
 WHERE first_worker_id = $1
   AND trusted_at IS NULL
