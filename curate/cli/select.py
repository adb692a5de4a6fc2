"""`curate select`: what will be labeled first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curate.cli.options import ParamsFile, checked, user_path

app = typer.Typer(help="What will be labeled first.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What will be labeled first."""


@app.command("preview")
def preview(
    *,
    out: Annotated[Path, typer.Option(parser=user_path, help="The page.")] = Path("data/select/preview.html"),
    budget: Annotated[
        float | None, typer.Option(help="In the place of qa.choose.budget, to try one.", show_default=False)
    ] = None,
    max_images: Annotated[
        int, typer.Option("--most", min=1, help="Images on the page, in the order of the choice.")
    ] = 200,
    params_file: ParamsFile = Path("params.yaml"),
) -> None:
    """Draw the images that the weights of qa.choose would choose now, each with the reason.

    Reads params.yaml, taxonomy.yaml, the tables of dedupe, embed, autolabel, push and agreement, the plan
    that there is, and the images; writes OUT and nothing else: the plan stays as it is.
    """
    from curate import params as file
    from curate.errors import ParamsError
    from curate.params.choose import ChooseParams
    from curate.qa.choice import criteria
    from curate.report import chosen_page
    from curate.stages import select
    from curate_pipelines import select as wiring

    settings = file.load(params_file)
    if budget is not None:
        choose = checked(ChooseParams, {**settings.qa.choose.model_dump(), "budget": budget})
        settings = settings.model_copy(update={"qa": settings.qa.model_copy(update={"choose": choose})})
    if not settings.qa.choose.budget:
        raise ParamsError("qa.choose.budget is 0, so that nothing is chosen: set it, or give --budget")
    inputs = wiring.inputs(settings)
    made = select.planned(settings.qa, inputs=inputs, path=wiring.PLAN)
    picks = [(made.pool.ids[pick.image], pick) for pick in made.members.picks]
    places = chosen_page.Places(inputs.images, inputs.annotations, inputs.taxonomy)
    chosen_page.write(picks, criteria.weights(settings.qa.choose), places, out, max_images=max_images)
    typer.echo(f"select preview: {len(picks):,} images would be chosen now: {out}")
