-- name: insert_sweep
-- No row back means that the name is taken.
INSERT INTO rrcm.sweep (name, spec, method, metric, r, sigma, goal, software)
VALUES ($1, $2::jsonb, $3, $4, $5, $6::numeric, $7, $8)
ON CONFLICT ON CONSTRAINT sweep_name_unique DO NOTHING
RETURNING sweep_id
