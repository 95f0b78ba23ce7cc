-- name: drain_workers
-- Asks live workers to drain: they learn it with their next heartbeat, and claim nothing from now on.
UPDATE rrcm.worker
   SET state = 'draining'
 WHERE worker_id = ANY ($1::bigint[])
   AND state = 'live'
RETURNING worker_id
