-- name: item_faults
-- Items of a planned run that are not what its images, its noise levels and its image set say.
WITH planned AS (
  SELECT p.image_index,
         s.sigma
    FROM rrcm.run r
    JOIN rrcm.certification_sigma s USING (run_id)
   CROSS JOIN unnest(r.image_indices) AS p (image_index)
   WHERE r.run_id = $1
     AND r.state <> 'submitted'
), made AS (
  SELECT i.image_index,
         i.sigma,
         i.label,
         d.label AS true_label
    FROM rrcm.item i
    JOIN rrcm.run r USING (run_id)
    LEFT JOIN rrcm.dataset_image d ON d.dataset_digest = r.dataset_digest
     AND d.image_index = i.image_index
   WHERE i.run_id = $1
)
SELECT format('image %s, sigma %s: %s', image_index, sigma,
         CASE WHEN m.label IS NULL THEN 'no item, though the run has it'
              WHEN p.is_planned IS NULL THEN 'an item that the run does not have'
              ELSE format('label is %s, in the image set %s', m.label, coalesce(m.true_label::text, 'none')) END) AS fault
  FROM (SELECT *, true AS is_planned FROM planned) AS p
  FULL JOIN made AS m USING (image_index, sigma)
 WHERE m.label IS NULL
    OR p.is_planned IS NULL
    OR m.true_label IS DISTINCT FROM m.label
 ORDER BY sigma, image_index
