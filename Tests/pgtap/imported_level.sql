-- imported_level: what was imported, by noise level.
\ir fixture.psql
\ir imported.psql
SELECT plan(1);
SELECT results_eq(
  'SELECT import_id::int, name, sigma, row_count, files FROM rrcm.imported_level ORDER BY sigma',
  $$ VALUES (1, 'half', 0.25, 3, '{a.txt}'::text[]), (1, 'half', 1, 2, '{b.txt}') $$, 'one row per level');
SELECT * FROM finish();
