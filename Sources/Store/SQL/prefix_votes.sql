-- name: prefix_votes
-- Estimation votes of chunks $2[i] up to $3[i], not included, of items $1[i]; in order, a row per chunk.
SELECT c.item_id,
       c.chunk,
       c.samples,
       c.classes,
       c.votes
  FROM unnest($1::bigint[], $2::int[], $3::int[]) AS wanted (item_id, lo, hi)
  JOIN rrcm.chunk_count c ON c.item_id = wanted.item_id AND c.phase = 1 AND c.chunk >= wanted.lo AND c.chunk < wanted.hi
 ORDER BY c.item_id, c.chunk
