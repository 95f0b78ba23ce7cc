-- name: lock_sweep
-- A sweep's state, locked for this transaction.
SELECT state::text AS state
  FROM rrcm.sweep
 WHERE sweep_id = $1
   FOR UPDATE
