-- name: quarantine_worker
-- Sets a worker aside: it may neither claim nor post until a person releases it. Runs after lock_worker in the same transaction.
UPDATE rrcm.worker
   SET quarantined_at = coalesce(quarantined_at, now()),
       quarantine_reason = coalesce(quarantine_reason, $2),
       state = 'gone'
 WHERE worker_id = $1
RETURNING name,
          host,
          ARRAY(SELECT l.lease_id FROM rrcm.lease l WHERE l.worker_id = $1) AS leases
