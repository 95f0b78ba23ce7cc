-- name: raise_targets
-- Lets undecided items of early-stopping runs run ahead by one more look where their run has nothing left to claim: in the
-- tail, work that may turn out to be needless beats idle workers.
WITH dry AS MATERIALIZED (
  SELECT r.run_id,
         p.looks
    FROM rrcm.run r
    JOIN rrcm.certification p USING (run_id)
   WHERE r.state = 'running'
     AND p.looks <> '{}'
     AND NOT EXISTS (SELECT FROM rrcm.item i WHERE i.run_id = r.run_id AND i.state = 'open')
     AND NOT EXISTS (
           SELECT
             FROM rrcm.gap g
             JOIN rrcm.item i USING (item_id)
            WHERE g.run_id = r.run_id
              AND i.state IN ('open', 'claimed'))
)
UPDATE rrcm.item i
   SET target_units = 1 + (SELECT min(look) FROM unnest(dry.looks) AS look WHERE look >= i.target_units),
       state = 'open'
  FROM dry
 WHERE i.run_id = dry.run_id
   AND i.state = 'claimed'
   AND i.target_units < i.unit_count
RETURNING i.item_id
