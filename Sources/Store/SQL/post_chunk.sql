-- name: post_chunk
-- Stores one chunk's votes. A chunk that is already there stays as it is; compare_chunk looks whether it agrees.
INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT ON CONSTRAINT chunk_count_pkey DO NOTHING
RETURNING item_id
