-- name: suspect_gaps
-- Marks the gaps that begin where a worker ended, at unit $2 of item $1 each: they are computed alone.
UPDATE rrcm.gap g
   SET suspect = true
  FROM unnest($1::bigint[], $2::int[]) AS s (item_id, unit)
 WHERE g.item_id = s.item_id
   AND g.lo = s.unit
