-- name: release_worker
-- Ends a worker's quarantine; it may register again.
UPDATE rrcm.worker
   SET quarantined_at = NULL,
       quarantine_reason = NULL
 WHERE worker_id = ANY ($1::bigint[])
   AND quarantined_at IS NOT NULL
RETURNING worker_id
