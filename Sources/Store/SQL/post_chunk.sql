-- name: post_chunk
-- Stores one chunk's votes. A chunk that is already there stays as it is; compare_chunk looks whether it agrees. What a worker in quarantine
-- posts is not stored: runs after lock_poster in the same transaction.
INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
 WHERE EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $7 AND w.quarantined_at IS NULL)
ON CONFLICT ON CONSTRAINT chunk_count_pkey DO NOTHING
RETURNING item_id
