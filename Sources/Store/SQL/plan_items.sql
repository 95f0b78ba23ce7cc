-- name: plan_items
-- One item per image and sigma, images in the stored order. $3 units of each may be claimed at first; null for all.
INSERT INTO rrcm.item (run_id, image_index, sigma, label, unit_count, target_units)
SELECT r.run_id,
       i.image_index,
       s.sigma,
       d.label,
       $2,
       $3::int
  FROM rrcm.run r
  JOIN rrcm.certification_sigma s USING (run_id)
 CROSS JOIN LATERAL unnest(r.image_indices) WITH ORDINALITY AS i (image_index, position)
  JOIN rrcm.dataset_image d ON d.dataset_digest = r.dataset_digest AND d.image_index = i.image_index
 WHERE r.run_id = $1
 ORDER BY i.position, s.sigma
