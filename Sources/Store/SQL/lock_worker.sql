-- name: lock_worker
-- Waits for posts of the worker that are under way; none begins until the transaction ends.
SELECT worker_id
  FROM rrcm.worker
 WHERE worker_id = $1
   FOR UPDATE
