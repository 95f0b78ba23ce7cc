-- name: insert_certification_sigma
INSERT INTO rrcm.certification_sigma (run_id, sigma, grid_m, slack, table_digest)
VALUES ($1, $2::numeric, $3, $4, $5)
