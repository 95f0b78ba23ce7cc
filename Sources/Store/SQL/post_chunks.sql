-- name: post_chunks
-- Stores votes of chunks of item $1, posted by worker $2; the arrays hold one entry a chunk. A chunk that is already there
-- stays as it is; compare_chunks looks whether it agrees. An item that takes votes of another numerics id than $9, because
-- it was repinned meanwhile, takes none of it: the lock is the one that the foreign key takes anyway; taken here, a repin
-- that is under way is waited for and then seen. What a worker in quarantine posts is not stored: runs after
-- lock_poster in the same transaction. Returns the chunks that were stored now.
INSERT INTO rrcm.chunk_count (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms)
SELECT i.item_id, p.phase, p.chunk, p.samples, p.classes::smallint[], p.votes::int[], $2, p.compute_ms
  FROM (SELECT item_id FROM rrcm.item WHERE item_id = $1 AND numerics_id = $9 FOR KEY SHARE) AS i
 CROSS JOIN unnest($3::smallint[], $4::int[], $5::int[], $6::text[], $7::text[], $8::real[])
         AS p (phase, chunk, samples, classes, votes, compute_ms)
 WHERE EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $2 AND w.quarantined_at IS NULL)
ON CONFLICT ON CONSTRAINT chunk_count_pkey DO NOTHING
RETURNING phase, chunk
