-- image_set: image sets.
\ir fixture.psql
SELECT plan(1);
SELECT results_eq(
  'SELECT name, channels, classes, image_count FROM rrcm.image_set',
  $$ VALUES ('tiny', 1, '{a,b,c}'::text[], 4) $$, 'the only one');
SELECT * FROM finish();
