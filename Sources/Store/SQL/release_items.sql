-- name: release_items
-- Lets held items of running runs go on whose disputes are all settled. One that was held for something else as well is held again
-- by whoever finds it.
UPDATE rrcm.item i
   SET state = CASE
         WHEN EXISTS (SELECT FROM rrcm.certificate c WHERE c.item_id = i.item_id) THEN 'certified'::rrcm.item_state
         WHEN i.next_unit < coalesce(i.target_units, i.unit_count) THEN 'open'
         ELSE 'claimed'
       END,
       error = NULL
  FROM rrcm.run r
 WHERE r.run_id = i.run_id
   AND r.state = 'running'
   AND i.state = 'held'
   AND EXISTS (SELECT FROM rrcm.disagreement d WHERE d.item_id = i.item_id)
   AND NOT EXISTS (SELECT FROM rrcm.audit a WHERE a.item_id = i.item_id AND a.state IN ('disputed', 'undecided'))
   AND NOT EXISTS (
         SELECT
           FROM rrcm.disagreement d
           JOIN rrcm.chunk_count k USING (item_id, phase, chunk)
          WHERE d.item_id = i.item_id
            AND d.audit_id IS NULL
            AND k.classes = d.stored_classes
            AND k.votes = d.stored_votes)
RETURNING i.item_id
