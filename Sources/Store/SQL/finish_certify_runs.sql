-- name: finish_certify_runs
-- Ends runs whose every item is certified.
UPDATE rrcm.run r
   SET state = 'done',
       finished_at = now()
 WHERE r.state = 'running'
   AND r.kind = 'certify'
   AND NOT EXISTS (
     SELECT
       FROM rrcm.item i
      WHERE i.run_id = r.run_id
        AND i.state <> 'certified'
   )
RETURNING r.run_id
