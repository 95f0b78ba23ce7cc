-- name: lock_arbitration
-- One arbiter at a time, until the transaction ends.
SELECT pg_try_advisory_xact_lock(hashtextextended('rrcm arbitration', 0)) AS locked
