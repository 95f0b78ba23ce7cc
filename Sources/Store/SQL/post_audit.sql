-- name: post_audit
-- Stores what worker ($2, $3) found when it computed the chunk of audit $1 again. Equal votes settle an audit that is due; different
-- ones raise the alarm: the item is held until arbitration has found who is wrong. Runs after lock_poster in the same transaction.
WITH open AS MATERIALIZED (
  SELECT a.audit_id,
         a.run_id,
         a.item_id,
         a.phase,
         a.chunk,
         a.state,
         k.worker_id AS poster_id,
         k.classes,
         k.votes,
         k.classes = $4::smallint[] AND k.votes = $5::int[] AS equal
    FROM rrcm.audit a
    JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
   WHERE a.audit_id = $1
     AND a.state IN ('due', 'disputed')
     AND EXISTS (SELECT FROM rrcm.worker w WHERE w.worker_id = $2 AND w.quarantined_at IS NULL)
     FOR UPDATE OF a
), computed AS (
  INSERT INTO rrcm.audit_computation (audit_id, worker_id, epoch, classes, votes, compute_ms)
  SELECT open.audit_id, $2, $3, $4::smallint[], $5::int[], $6
    FROM open
  ON CONFLICT ON CONSTRAINT audit_computation_pkey DO NOTHING
  RETURNING audit_id
), noted AS (
  UPDATE rrcm.audit a
     SET state = CASE
           WHEN open.state = 'disputed' OR NOT open.equal THEN 'disputed'::rrcm.audit_state
           WHEN open.poster_id = $2 THEN 'self_audited'
           ELSE 'agreed'
         END,
         disputed_at = CASE WHEN open.state = 'disputed' OR NOT open.equal THEN coalesce(a.disputed_at, now()) END,
         decided_at = CASE WHEN open.state = 'due' AND open.equal THEN now() END,
         result = CASE
           WHEN open.state = 'due' AND open.equal AND open.poster_id = $2 THEN
             'computed again by the same worker in other batches: no other was there'
           WHEN open.state = 'due' AND open.equal THEN 'another worker found the same votes'
         END,
         holder_id = NULL,
         holder_epoch = NULL,
         deadline_at = NULL
    FROM open
   WHERE a.audit_id = open.audit_id
), differing AS (
  INSERT INTO rrcm.disagreement (item_id, phase, chunk, stored_classes, stored_votes, posted_classes, posted_votes,
                                 worker_id, audit_id)
  SELECT open.item_id, open.phase, open.chunk, open.classes, open.votes, $4::smallint[], $5::int[], $2, open.audit_id
    FROM open
    JOIN computed USING (audit_id)
   WHERE NOT open.equal
  RETURNING item_id
), held AS (
  UPDATE rrcm.item i
     SET state = 'held',
         error = format('phase %s chunk %s was computed twice with different votes; arbitration goes on', open.phase, open.chunk)
    FROM open, differing
   WHERE i.item_id = differing.item_id
     AND i.state IN ('open', 'claimed', 'certified')
), told AS (
  INSERT INTO rrcm.event (kind, run_id, worker_id, detail)
  SELECT 'disagreement', open.run_id, $2,
         format('item %s phase %s chunk %s: votes of an audit differ', open.item_id, open.phase, open.chunk)
    FROM open, differing
)
SELECT open.equal,
       open.poster_id = $2 AS own
  FROM open
