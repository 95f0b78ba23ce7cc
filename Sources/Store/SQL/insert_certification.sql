-- name: insert_certification
INSERT INTO rrcm.certification (run_id, mode, n0, n, alpha, sampler, chunk_samples, audit_share)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
