-- name: compare_chunk
-- Raises the alarm when what is stored for a chunk differs from what was just computed. The item is held: no certificate
-- rests on votes that disagree, and one already given stands no more. Runs after post_chunk in the same transaction, so it sees a concurrent winner's row.
WITH differing AS (
  INSERT INTO rrcm.disagreement (item_id, phase, chunk, stored_classes, stored_votes, posted_classes, posted_votes,
                                 worker_id)
  SELECT c.item_id, c.phase, c.chunk, c.classes, c.votes, $4::smallint[], $5::int[], $6
    FROM rrcm.chunk_count c
   WHERE c.item_id = $1
     AND c.phase = $2
     AND c.chunk = $3
     AND (c.classes <> $4::smallint[] OR c.votes <> $5::int[])
     AND EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $6 AND w.quarantined_at IS NULL)
  RETURNING item_id, phase, chunk
), held AS (
  UPDATE rrcm.item i
     SET state = 'held',
         error = format('phase %s chunk %s was computed twice with different votes; arbitration goes on', d.phase, d.chunk)
    FROM differing d
   WHERE i.item_id = d.item_id
     AND i.state IN ('open', 'claimed', 'certified')
)
INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
SELECT 'disagreement', i.run_id, $6, format('item %s phase %s chunk %s: votes differ', d.item_id, d.phase, d.chunk)
  FROM differing d
  JOIN rrcm.item i USING (item_id)
RETURNING event_id
