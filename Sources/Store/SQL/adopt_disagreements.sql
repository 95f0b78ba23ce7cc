-- name: adopt_disagreements
-- Makes a disputed audit of every chunk that was posted twice with different votes, and takes the later post as a computation of it. A run
-- that was done is opened again; those that failed or were cancelled stay as they are.
WITH unsettled AS MATERIALIZED (
  SELECT d.disagreement_id,
         d.item_id,
         d.phase,
         d.chunk,
         d.worker_id,
         d.posted_classes,
         d.posted_votes,
         w.epoch,
         k.worker_id AS poster_id,
         i.run_id
    FROM rrcm.disagreement d
    JOIN rrcm.item i USING (item_id)
    JOIN rrcm.run r ON r.run_id = i.run_id
    JOIN rrcm.worker w ON w.worker_id = d.worker_id
    JOIN rrcm.chunk_count k ON k.item_id = d.item_id AND k.phase = d.phase AND k.chunk = d.chunk
   WHERE d.audit_id IS NULL
     AND r.state IN ('running', 'done')
     AND k.classes = d.stored_classes
     AND k.votes = d.stored_votes
   ORDER BY d.disagreement_id
     FOR UPDATE OF d SKIP LOCKED
), disputed AS (
  INSERT INTO rrcm.audit AS a (run_id, item_id, phase, chunk, cause, state, poster_id, disputed_at)
  SELECT DISTINCT ON (u.item_id, u.phase, u.chunk)
         u.run_id, u.item_id, u.phase, u.chunk, 'disagreement', 'disputed'::rrcm.audit_state, u.poster_id, now()
    FROM unsettled u
   ORDER BY u.item_id, u.phase, u.chunk
  ON CONFLICT (item_id, phase, chunk) WHERE state <> 'void' DO UPDATE
     SET state = 'disputed',
         disputed_at = coalesce(a.disputed_at, now()),
         decided_at = NULL,
         result = NULL
  RETURNING audit_id, item_id, phase, chunk
), computed AS (
  INSERT INTO rrcm.audit_computation (audit_id, worker_id, epoch, classes, votes, compute_ms)
  SELECT DISTINCT ON (x.audit_id, u.worker_id)
         x.audit_id, u.worker_id, u.epoch, u.posted_classes, u.posted_votes, 0
    FROM unsettled u
    JOIN disputed x USING (item_id, phase, chunk)
   ORDER BY x.audit_id, u.worker_id, u.disagreement_id
  ON CONFLICT ON CONSTRAINT audit_computation_pkey DO NOTHING
), opened AS (
  UPDATE rrcm.run r
     SET state = 'running',
         finished_at = NULL
   WHERE r.run_id IN (SELECT run_id FROM unsettled)
     AND r.state = 'done'
)
UPDATE rrcm.disagreement d
   SET audit_id = x.audit_id
  FROM unsettled u
  JOIN disputed x USING (item_id, phase, chunk)
 WHERE d.disagreement_id = u.disagreement_id
RETURNING d.disagreement_id
