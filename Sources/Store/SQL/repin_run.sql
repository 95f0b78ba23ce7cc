-- name: repin_run
-- Lets numerics id $2 (null: whichever worker comes first) compute run $1, beside those that items with work left are
-- still pinned to. Runs after void_items.
UPDATE rrcm.run r
   SET numerics_ids = ARRAY(
         SELECT $2::text
          WHERE $2 IS NOT NULL
          UNION
         SELECT i.numerics_id
           FROM rrcm.item i
          WHERE i.run_id = $1
            AND i.numerics_id IS NOT NULL
            AND (i.state = 'open'
                 OR i.state = 'claimed'
                    AND (EXISTS (SELECT FROM rrcm.gap g WHERE g.item_id = i.item_id)
                         OR EXISTS (SELECT FROM rrcm.lease l WHERE l.item_id = i.item_id))
                 OR i.state = 'certified'
                    AND i.item_id IN (SELECT a.item_id FROM rrcm.audit a
                                       WHERE a.run_id = $1 AND a.state IN ('due', 'disputed')))
       ),
       stranded_at = NULL
 WHERE r.run_id = $1
   AND r.state = 'running'
RETURNING numerics_ids
