-- name: void_items
-- Voids every vote of the given items, selection included, for reason $2, and opens them from their first unit for
-- whatever numerics id claims them. A certificate that is provisional, because an audit of it is open, is taken back; one
-- that is settled stays.
WITH reopened AS MATERIALIZED (
  SELECT i.item_id
    FROM rrcm.item i
   WHERE i.item_id = ANY ($1::bigint[])
     AND (i.state IN ('open', 'claimed')
          OR i.state = 'certified'
             AND EXISTS (SELECT FROM rrcm.audit a WHERE a.item_id = i.item_id AND a.state IN ('due', 'disputed')))
     FOR UPDATE
), voided AS (
  DELETE FROM rrcm.chunk_count c
   USING reopened
   WHERE c.item_id = reopened.item_id
  RETURNING c.item_id, c.phase, c.chunk, c.samples, c.classes, c.votes, c.worker_id, c.compute_ms, c.posted_at
), kept AS (
  INSERT INTO rrcm.chunk_count_void
    (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms, posted_at, reason)
  SELECT item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms, posted_at, $2
    FROM voided
), taken_back AS (
  DELETE FROM rrcm.certificate c
   USING reopened
   WHERE c.item_id = reopened.item_id
  RETURNING c.*
), superseded AS (
  INSERT INTO rrcm.certificate_superseded (item_id, reason, certificate)
  SELECT taken_back.item_id, $2, to_jsonb(taken_back)
    FROM taken_back
), leases AS (
  DELETE FROM rrcm.lease l
   USING reopened
   WHERE l.item_id = reopened.item_id
), gaps AS (
  DELETE FROM rrcm.gap g
   USING reopened
   WHERE g.item_id = reopened.item_id
), audits AS (
  UPDATE rrcm.audit a
     SET state = 'void',
         result = $2,
         decided_at = now(),
         holder_id = NULL,
         holder_epoch = NULL,
         deadline_at = NULL
    FROM voided v
   WHERE a.item_id = v.item_id
     AND a.phase = v.phase
     AND a.chunk = v.chunk
     AND a.state <> 'void'
), items AS (
  UPDATE rrcm.item i
     SET state = 'open',
         next_unit = 0,
         numerics_id = NULL,
         top_class = NULL,
         looks_decided = 0,
         revision = i.revision + 1
    FROM reopened
   WHERE i.item_id = reopened.item_id
)
SELECT (SELECT count(*) FROM reopened) AS items,
       (SELECT count(*) FROM voided) AS chunks
