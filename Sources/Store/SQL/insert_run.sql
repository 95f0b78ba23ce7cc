-- name: insert_run
INSERT INTO rrcm.run (kind, name, spec, seed, priority, dataset_digest, checkpoint_digest, depends_on, image_indices,
                      numerics_ids, software, weight)
VALUES ($1::rrcm.run_kind, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12)
RETURNING run_id
