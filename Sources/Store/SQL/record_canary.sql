-- name: record_canary
-- The first worker's digest is recorded, a second worker with the same one makes it trusted. Returns what is recorded; no row
-- to a worker in quarantine.
SELECT recorded, trusted
  FROM rrcm.record_canary($1, $2, $3, $4)
