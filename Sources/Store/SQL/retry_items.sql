-- name: retry_items
-- Puts the held items of run $1 back to work, except those whose votes disagree. What has votes is not computed again; the
-- rest below next_unit becomes gaps, each to be computed alone. Their failures stay on record and count no more.
WITH again AS (
  UPDATE rrcm.item i
     SET state = CASE WHEN i.next_unit < coalesce(i.target_units, i.unit_count) THEN 'open'::rrcm.item_state ELSE 'claimed' END,
         error = NULL
   WHERE i.run_id = $1
     AND i.state = 'held'
     AND NOT EXISTS (
           SELECT
             FROM rrcm.disagreement d
             LEFT JOIN rrcm.audit a USING (audit_id)
            WHERE d.item_id = i.item_id
              AND coalesce(a.state, 'disputed') IN ('due', 'disputed', 'undecided')
         )
  RETURNING i.item_id, i.run_id, i.next_unit
), forgiven AS (
  UPDATE rrcm.failed_attempt a
     SET retried_at = now()
    FROM again
   WHERE a.item_id = again.item_id
     AND a.retried_at IS NULL
), stale AS (
  DELETE FROM rrcm.gap g
   USING again
   WHERE g.item_id = again.item_id
), missing AS (
  SELECT again.run_id,
         again.item_id,
         unit,
         unit - row_number() OVER (PARTITION BY again.item_id ORDER BY unit) AS island
    FROM again
   CROSS JOIN LATERAL generate_series(0, again.next_unit - 1) AS unit
   WHERE NOT EXISTS (
           SELECT
             FROM rrcm.chunk_count c
            WHERE c.item_id = again.item_id
              AND c.phase = (unit > 0)::int
              AND c.chunk = greatest(unit - 1, 0)
         )
     AND NOT EXISTS (
           SELECT
             FROM rrcm.lease l
            WHERE l.item_id = again.item_id
              AND l.lo <= unit
              AND unit < l.hi
         )
), put AS (
  INSERT INTO rrcm.gap (run_id, item_id, lo, hi, suspect)
  SELECT run_id, item_id, min(unit), max(unit) + 1, true
    FROM missing
   GROUP BY run_id, item_id, island
)
SELECT count(*) AS items FROM again
