-- name: insert_certification
INSERT INTO rrcm.certification (run_id, mode, n0, n, alpha, sampler, chunk_samples, audit_share, targets, epsilon, looks)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[]::numeric[], $10, $11)
