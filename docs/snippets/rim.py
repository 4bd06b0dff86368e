"""Objects whose rim counts more, for cells that touch."""

from typing import Annotated

from pydantic import Field

from napari_aitrain.tasks.instances import InstancesSettings, InstancesTask


class RimSettings(InstancesSettings):
    """Settings of the task."""

    rim: Annotated[
        float,
        Field(
            ge=1,
            le=10,
            title="Weight of the rim",
            description="How much more the rim of objects counts than their inside.",
            json_schema_extra={"basic": True},
        ),
    ] = 3.0


class RimTask(InstancesTask):
    """Objects, with more weight on their rims."""

    name = "rim"
    title = "Objects that touch"
    description = "Separate objects; what divides them counts more than what is inside."
    Settings = RimSettings

    def loss(self, output, values, weight):
        """Return the loss of objects, with the third map, the border, as additional weight."""
        border = values[:, 2:3]
        return super().loss(output, values, weight * (1 + (self.settings.rim - 1) * border))


TASK = RimTask
