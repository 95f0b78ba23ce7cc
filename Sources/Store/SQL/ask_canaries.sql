-- name: ask_canaries
-- Asks workers $2 to compute their canary again, for the sake of audit $1.
INSERT INTO rrcm.canary_check (audit_id, worker_id)
SELECT $1, unnest($2::bigint[])
ON CONFLICT ON CONSTRAINT canary_check_pkey DO NOTHING
