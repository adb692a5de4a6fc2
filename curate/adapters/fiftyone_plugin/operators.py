"""Operators and a panel of the FiftyOne app for decisions; `curate view` puts them where FiftyOne looks."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from curate.adapters import fiftyone_marking as marking
from curate.adapters import fiftyone_rules, fiftyone_text_search
from curate.errors import CurateError


class _Mark(foo.Operator):  # type: ignore[misc]
    """Gives samples or labels a tag."""

    mark: marking.Mark

    @property
    def config(self) -> Any:
        """Name and label."""
        return foo.OperatorConfig(
            name=self.mark.name, label=f"{self.mark.label} (Alt+{self.mark.key})", dynamic=True
        )

    def resolve_placement(self, ctx: Any) -> Any:  # noqa: ARG002 - FiftyOne's
        """A button above the grid."""
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
            types.Button(label=self.mark.label, prompt=self.mark.argument is not None),
        )

    def resolve_input(self, ctx: Any) -> Any:
        """What is asked, and what a click will do."""
        inputs = types.Object()
        if self.mark.argument is not None:
            choices = types.AutocompleteView(allow_user_input=True)
            for one in marking.choices(ctx.dataset, self.mark):
                choices.add_choice(one, label=one)
            inputs.str("argument", label=self.mark.argument, required=self.mark.required, view=choices)
        inputs.md(f"{self.mark.meaning} {marking.count(ctx, self.mark)}")
        return types.Property(inputs, view=types.View(label=self.mark.label))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Do it, and say so."""
        told = marking.apply(ctx, self.mark, ctx.params.get("argument") or "")
        ctx.ops.reload_dataset()
        ctx.ops.notify(told, variant="success")
        return {"said": told}


class Undo(foo.Operator):  # type: ignore[misc]
    """Takes the last mark back."""

    @property
    def config(self) -> Any:
        """Name and label of the operator."""
        return foo.OperatorConfig(name="undo", label="Undo (Alt+Z)")

    def resolve_placement(self, ctx: Any) -> Any:  # noqa: ARG002 - FiftyOne's
        """A button above the grid."""
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, types.Button(label="Undo", prompt=False)
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Do it, and say so."""
        told = marking.undo(ctx.dataset)
        ctx.ops.reload_dataset()
        ctx.ops.notify(told)
        return {"said": told}


class SearchText(foo.Operator):  # type: ignore[misc]
    """Shows the images nearest to a text."""

    @property
    def config(self) -> Any:
        """Name and label of the operator."""
        return foo.OperatorConfig(name="search_text", label="Search images by text (Alt+T)")

    def resolve_placement(self, ctx: Any) -> Any:  # noqa: ARG002 - FiftyOne's
        """A button above the grid."""
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
            types.Button(label="Search by text (Alt+T)", prompt=True),
        )

    def resolve_input(self, ctx: Any) -> Any:  # noqa: ARG002 - FiftyOne's
        """Form that asks for the text to search."""
        inputs = types.Object()
        inputs.str("text", label="What the images show", required=True)
        return types.Property(inputs, view=types.View(label="Search by text"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Show the nearest first, or say why there are none."""
        try:
            view = fiftyone_text_search.search(
                ctx.dataset, fiftyone_text_search.project(), ctx.params["text"]
            )
        except CurateError as error:
            ctx.ops.notify(str(error), variant="error")
            return {"said": str(error)}
        ctx.ops.set_view(view)
        return {"said": f"{len(view):,} images, nearest first"}


class Decide(foo.Panel):  # type: ignore[misc]
    """Panel that tells why an image is here, with buttons for what shall become of it."""

    @property
    def config(self) -> Any:
        """Name and label of the panel."""
        return foo.PanelConfig(
            name="decide", label="Decide", surfaces="grid modal", category=foo.Categories.CURATE
        )

    def on_load(self, ctx: Any) -> None:
        """Look at what is selected."""
        ctx.panel.state.why = marking.why(ctx)

    on_change_selected = on_change_current_sample = on_change_selected_labels = on_load

    def undo(self, ctx: Any) -> None:
        """Take the last mark back."""
        marking.undo(ctx.dataset)
        self._again(ctx)

    def show_rule(self, ctx: Any) -> None:
        """Show the images that a rule is about."""
        name = fiftyone_rules.view_name(ctx.params["rule"])
        ctx.ops.set_view(view=ctx.dataset.load_saved_view(name))

    def _again(self, ctx: Any) -> None:
        ctx.ops.reload_dataset()
        self.on_load(ctx)

    def render(self, ctx: Any) -> Any:
        """Show why the image is here, then for each mark a button and what it does."""
        panel = types.Object()
        panel.md(marking.why(ctx), name="why_text")
        for number, rule in enumerate(fiftyone_rules.known(ctx.dataset)):
            panel.btn(
                f"rule_{number}",
                label=f"Show {rule['images']:,}: {rule['name']}",
                on_click=self.show_rule,
                params={"rule": rule["name"]},
            )
        for mark in marking.MARKS:
            on_click = f"@curate/decisions/{mark.name}"
            panel.btn(
                mark.name,
                label=f"{mark.label} (Alt+{mark.key})",
                on_click=on_click,
                prompt=mark.argument is not None,
            )
            panel.md(mark.meaning, name=f"{mark.name}_meaning")
        panel.btn("undo", label="Undo (Alt+Z)", on_click=self.undo)
        return types.Property(panel, view=types.GridView(orientation="vertical", gap=1))


def register(plugin: Any) -> None:
    """Register the operators and the panel; FiftyOne calls this."""
    for mark in marking.MARKS:
        plugin.register(type(mark.name, (_Mark,), {"mark": mark}))
    plugin.register(Undo)
    plugin.register(SearchText)
    plugin.register(Decide)
