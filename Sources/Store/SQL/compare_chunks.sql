-- name: compare_chunks
-- Raises the alarm for each chunk of item $1 whose stored votes differ from what worker $2 just computed. The item is held:
-- no certificate rests on votes that disagree, and one already given stands no more. Runs after post_chunks in the same
-- transaction, so it sees a concurrent winner's rows.
WITH differing AS (
  INSERT INTO rrcm.disagreement (item_id, phase, chunk, stored_classes, stored_votes, posted_classes, posted_votes,
                                 worker_id)
  SELECT c.item_id, c.phase, c.chunk, c.classes, c.votes, p.classes::smallint[], p.votes::int[], $2
    FROM unnest($3::smallint[], $4::int[], $5::text[], $6::text[]) AS p (phase, chunk, classes, votes)
    JOIN rrcm.chunk_count c ON c.item_id = $1 AND c.phase = p.phase AND c.chunk = p.chunk
   WHERE (c.classes <> p.classes::smallint[] OR c.votes <> p.votes::int[])
     AND EXISTS (SELECT FROM rrcm.item i WHERE i.item_id = $1 AND i.numerics_id = $7)
     AND EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $2 AND w.quarantined_at IS NULL)
  RETURNING item_id, phase, chunk
), held AS (
  UPDATE rrcm.item i
     SET state = 'held',
         error = format('phase %s chunk %s was computed twice with different votes; arbitration goes on', d.phase, d.chunk)
    FROM (SELECT item_id, phase, chunk FROM differing ORDER BY phase, chunk LIMIT 1) AS d
   WHERE i.item_id = d.item_id
     AND i.state IN ('open', 'claimed', 'certified')
)
INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
SELECT 'disagreement', i.run_id, $2, format('item %s phase %s chunk %s: votes differ', d.item_id, d.phase, d.chunk)
  FROM differing d
  JOIN rrcm.item i USING (item_id)
RETURNING event_id
