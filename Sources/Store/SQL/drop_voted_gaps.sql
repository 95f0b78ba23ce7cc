-- name: drop_voted_gaps
-- Drops those gaps of an item whose every unit has votes by now: they came late, after the lease had ended.
DELETE FROM rrcm.gap g
 WHERE g.item_id = $1
   AND NOT EXISTS (
         SELECT
           FROM generate_series(g.lo, g.hi - 1) AS unit
          WHERE NOT EXISTS (
                  SELECT
                    FROM rrcm.chunk_count c
                   WHERE c.item_id = g.item_id
                     AND c.phase = (unit > 0)::int
                     AND c.chunk = greatest(unit - 1, 0)
                )
       )
RETURNING gap_id
