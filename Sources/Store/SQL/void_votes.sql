-- name: void_votes
-- Takes out every vote that worker $1 posted, in whatever run, since its process began or since it posted the chunk of audit $3, whichever was
-- first; puts the units back into the queue; takes back the certificates that rest on them, and the top class where selection does;
-- opens runs that had ended. Runs after quarantine_worker in the same transaction, so no post of the worker is left out.
WITH since AS MATERIALIZED (
  SELECT least(w.process_since,
               (SELECT min(k.posted_at)
                  FROM rrcm.audit a
                  JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
                 WHERE a.audit_id = $3
                   AND k.worker_id = $1)) AS at
    FROM rrcm.worker w
   WHERE w.worker_id = $1
), touched AS MATERIALIZED (
  SELECT i.item_id,
         i.run_id,
         r.state <> 'cancelled' AS goes_on
    FROM rrcm.item i
    JOIN rrcm.run r USING (run_id)
   WHERE i.item_id IN (SELECT k.item_id FROM rrcm.chunk_count k, since WHERE k.worker_id = $1 AND k.posted_at >= since.at)
   ORDER BY i.item_id
     FOR NO KEY UPDATE OF i
), voided AS (
  DELETE FROM rrcm.chunk_count k
   USING touched, since
   WHERE k.item_id = touched.item_id
     AND k.worker_id = $1
     AND k.posted_at >= since.at
  RETURNING k.*
), kept AS (
  INSERT INTO rrcm.chunk_count_void (item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms, posted_at, reason)
  SELECT item_id, phase, chunk, samples, classes, votes, worker_id, compute_ms, posted_at, $2
    FROM voided
), units AS (
  SELECT t.run_id,
         t.item_id,
         u.unit,
         u.unit - row_number() OVER (PARTITION BY t.item_id ORDER BY u.unit) AS island
    FROM voided v
    JOIN touched t USING (item_id)
   CROSS JOIN LATERAL (SELECT CASE WHEN v.phase = 0 THEN 0 ELSE v.chunk + 1 END AS unit) AS u
   WHERE t.goes_on
), reopened AS (
  INSERT INTO rrcm.gap (run_id, item_id, lo, hi)
  SELECT run_id, item_id, min(unit), max(unit) + 1
    FROM units
   GROUP BY run_id, item_id, island
), taken_back AS (
  DELETE FROM rrcm.certificate c
   USING touched
   WHERE c.item_id = touched.item_id
  RETURNING c.*
), superseded AS (
  INSERT INTO rrcm.certificate_superseded (item_id, reason, certificate)
  SELECT taken_back.item_id, $2, to_jsonb(taken_back)
    FROM taken_back
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
     SET state = CASE
           WHEN i.state <> 'certified' THEN i.state
           WHEN t.goes_on AND i.next_unit < coalesce(i.target_units, i.unit_count) THEN 'open'
           WHEN t.goes_on THEN 'claimed'
           ELSE 'cancelled'
         END,
         top_class = CASE
           WHEN EXISTS (SELECT FROM voided v WHERE v.item_id = i.item_id AND v.phase = 0) THEN NULL
           ELSE i.top_class
         END,
         looks_decided = 0,
         revision = i.revision + 1
    FROM touched t
   WHERE i.item_id = t.item_id
), runs AS (
  UPDATE rrcm.run r
     SET state = 'running',
         finished_at = NULL,
         error = NULL
   WHERE r.run_id IN (SELECT run_id FROM touched)
     AND r.state IN ('done', 'failed')
)
SELECT t.run_id,
       count(*) AS chunks,
       (SELECT count(*) FROM taken_back b JOIN touched x USING (item_id) WHERE x.run_id = t.run_id) AS certificates
  FROM voided v
  JOIN touched t USING (item_id)
 GROUP BY t.run_id
 ORDER BY t.run_id
