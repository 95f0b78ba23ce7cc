-- name: insert_audit_salt
-- Draws the secret that decides which chunks of run $1 are audited.
INSERT INTO rrcm.audit_salt (run_id)
VALUES ($1)
