-- name: post_chunks
-- Stores votes of chunks of item $1, posted by worker $2; the arrays hold one entry a chunk. A chunk that is already there
-- stays as it is; compare_chunks looks whether it agrees. What a worker in quarantine posts is not stored: runs after
-- lock_poster in the same transaction. Returns the chunks that were stored now.
INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
SELECT $1, p.phase, p.chunk, p.samples, p.classes::smallint[], p.votes::int[], $2, p.compute_ms
  FROM unnest($3::smallint[], $4::int[], $5::int[], $6::text[], $7::text[], $8::real[])
         AS p (phase, chunk, samples, classes, votes, compute_ms)
 WHERE EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $2 AND w.quarantined_at IS NULL)
ON CONFLICT ON CONSTRAINT chunk_count_pkey DO NOTHING
RETURNING phase, chunk
