-- name: insert_imported_log
-- No row back means that this noise level was imported under the name before.
INSERT INTO rrcm.imported_log (import_id, sigma, n, alpha, row_count, has_indices, has_full_radii, files, file_digests,
                               notes)
VALUES ($1, $2::numeric, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (import_id, sigma) DO NOTHING
RETURNING import_id
