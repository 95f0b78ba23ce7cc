-- name: finish_certify_runs
-- Ends those of runs $1 that have nothing left to do: done when every item is certified, failed when some are held; never while
-- an audit is open. Runs after lock_ending_runs in the same transaction.
UPDATE rrcm.run r
   SET state = CASE WHEN ended.held = 0 THEN 'done'::rrcm.run_state ELSE 'failed' END,
       error = CASE
         WHEN ended.held > 0 THEN format(
           '%s of %s items are held without a certificate and %s are certified; rrcm item list %s --state held says why, rrcm run retry %s --failed tries them again',
           ended.held, ended.total, ended.certified, r.run_id, r.run_id)
       END,
       finished_at = now()
  FROM (
    SELECT i.run_id,
           count(*) AS total,
           count(*) FILTER (WHERE i.state = 'certified') AS certified,
           count(*) FILTER (WHERE i.state = 'held') AS held
      FROM rrcm.item i
      JOIN rrcm.run unfinished USING (run_id)
     WHERE unfinished.state = 'running'
       AND unfinished.run_id = ANY ($1::bigint[])
     GROUP BY i.run_id
    HAVING count(*) FILTER (WHERE i.state IN ('open', 'claimed')) = 0
  ) AS ended
 WHERE r.run_id = ended.run_id
   AND r.state = 'running'
   AND NOT EXISTS (SELECT FROM rrcm.audit a WHERE a.run_id = r.run_id AND a.state IN ('due', 'disputed'))
   AND NOT EXISTS (
         -- Those that adopt_disagreements takes up: of votes that still stand.
         SELECT
           FROM rrcm.disagreement d
           JOIN rrcm.item i USING (item_id)
           JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
          WHERE i.run_id = r.run_id
            AND d.audit_id IS NULL
            AND k.classes = d.stored_classes
            AND k.votes = d.stored_votes)
RETURNING r.run_id
